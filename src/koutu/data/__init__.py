"""A training sample's way up: data sets (`sets`) and rendered people (`render`), `mattes`, `packs`, composed `scenes`."""
