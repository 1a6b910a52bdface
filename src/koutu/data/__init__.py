"""A sample's way up: data sets (`sets`), rendered people (`render`), soft mattes (`mattes`), `packs`, composed `scenes`."""
