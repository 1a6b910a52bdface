"""How fast networks matte what users give them, at what cost, each beside a reference in the same rounds."""
