"""A training sample's way up: data sets (`sets`), rendered people (`render`), `mattes`, `packs`, composed `scenes`."""
