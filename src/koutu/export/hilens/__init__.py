"""A HiLens Kit skill of a network: the program that runs on the camera, and the archive that it is uploaded in."""
