"""The field's data sets in their official layouts, read and checked."""
