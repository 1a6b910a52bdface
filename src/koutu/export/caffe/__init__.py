"""Networks as Caffe files, for converters that read nothing newer."""

from koutu.export.caffe.write import CaffeFiles, write_caffe

__all__ = ["CaffeFiles", "write_caffe"]
