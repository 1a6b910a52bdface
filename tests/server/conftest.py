"""What tests of the page share; a file that wants another server or browser makes its own of that name."""

from support.browser import browser, camera, server

__all__ = ["browser", "camera", "server"]
