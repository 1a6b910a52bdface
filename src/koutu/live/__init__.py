"""Live matting: a camera, stream, screen or video in; a window, page, virtual camera, file or stream out.

Frames pass three stages in threads of their own (read, matte, composite), the newest one wins everywhere, and each
output has a thread of its own, so that none of them waits for another. Sound goes past the stages to the outputs.
"""
