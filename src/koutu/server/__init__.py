"""`koutu serve`: a page, an HTTP API and live matting for viewers, on FastAPI; safe to leave running."""
