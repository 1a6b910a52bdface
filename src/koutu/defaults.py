"""What runs where nothing else is asked for; light to import, so that the command line can tell it."""

MODEL = "koutu"
CHOICE = ("koutu", "koutu-small")  # what pages and live views offer
ENGINE = "onnxruntime"
DEVICE = "cpu"
