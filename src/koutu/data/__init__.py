"""A training sample's way up: data sets (`sets`), soft mattes (`mattes`), packs (`packs`), composed `scenes`."""
