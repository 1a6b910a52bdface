"""Caffe's protobuf messages, as far as we write them, made at run time: names, numbers and types are the format's own.

The numbers of `permute_param` and `interp_param` differ between Caffe's forks, so that only text files, which go by
names, may hold them.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from koutu.extras import pip_line
from koutu.types import ModelError

FORKED = ("permute_param", "interp_param")
_PACKAGE = "caffe"

# field: "number type", a "*" before the type for repeated fields, a "+" for packed ones; types with a capital are ours
_MESSAGES = {
    "BlobShape": {"dim": "1 +int64"},
    "BlobProto": {"data": "5 +float", "shape": "7 BlobShape"},
    "NetParameter": {"name": "1 string", "layer": "100 *LayerParameter"},
    "LayerParameter": {
        "name": "1 string", "type": "2 string", "bottom": "3 *string", "top": "4 *string", "blobs": "7 *BlobProto",
        "concat_param": "104 ConcatParameter", "convolution_param": "106 ConvolutionParameter",
        "eltwise_param": "110 EltwiseParameter", "pooling_param": "121 PoolingParameter",
        "power_param": "122 PowerParameter", "slice_param": "126 SliceParameter",
        "reshape_param": "133 ReshapeParameter", "scale_param": "142 ScaleParameter",
        "input_param": "143 InputParameter", "permute_param": "202 PermuteParameter",
        "interp_param": "2143 InterpParameter",
    },
    "ConcatParameter": {"axis": "2 int32"},
    "ConvolutionParameter": {
        "num_output": "1 uint32", "bias_term": "2 bool", "group": "5 uint32", "pad_h": "9 uint32", "pad_w": "10 uint32",
        "kernel_h": "11 uint32", "kernel_w": "12 uint32", "stride_h": "13 uint32", "stride_w": "14 uint32",
        "dilation": "18 *uint32",
    },
    "EltwiseParameter": {"operation": "1 EltwiseOp", "coeff": "2 *float"},
    "InputParameter": {"shape": "1 *BlobShape"},
    "InterpParameter": {"height": "1 int32", "width": "2 int32"},
    "PermuteParameter": {"order": "1 *uint32"},
    "PoolingParameter": {
        "pool": "1 PoolMethod", "kernel_h": "5 uint32", "kernel_w": "6 uint32", "stride_h": "7 uint32",
        "stride_w": "8 uint32", "pad_h": "9 uint32", "pad_w": "10 uint32", "global_pooling": "12 bool",
    },
    "PowerParameter": {"power": "1 float", "scale": "2 float", "shift": "3 float"},
    "ReshapeParameter": {"shape": "1 BlobShape"},
    "ScaleParameter": {"axis": "1 int32", "bias_term": "4 bool"},
    "SliceParameter": {"slice_point": "2 *uint32", "axis": "3 int32"},
}  # fmt: skip
# a message's own enumeration
_ENUMS = {
    "EltwiseParameter": ("EltwiseOp", ("PROD", "SUM", "MAX")),
    "PoolingParameter": ("PoolMethod", ("MAX", "AVE", "STOCHASTIC")),
}


@cache
def messages() -> Any:
    """The message classes by name; raises ModelError where protobuf is not installed."""
    try:
        from google.protobuf import descriptor_pool, message_factory
    except ModuleNotFoundError as e:
        raise ModelError(f"Caffe files need protobuf, found none; {pip_line('export')}") from e
    pool = descriptor_pool.DescriptorPool()  # of our own: another package may bring a whole caffe.proto
    pool.AddSerializedFile(_file().SerializeToString())
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES}
    return SimpleNamespace(**{name: message_factory.GetMessageClass(found[name]) for name in found})


def _file() -> Any:
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="koutu/caffe.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name in _ENUMS:
            enum = message.enum_type.add(name=_ENUMS[name][0])
            for number, value in enumerate(_ENUMS[name][1]):
                enum.value.add(name=value, number=number)
        for field, text in fields.items():
            _add(message, field, text)
    return file


def _add(message: Any, name: str, text: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    number, kind = text.split()
    field = message.field.add(name=name, number=int(number))
    field.label = Field.LABEL_REPEATED if kind[0] in "*+" else Field.LABEL_OPTIONAL
    if kind[0] == "+":
        field.options.packed = True
    kind = kind.lstrip("*+")
    if kind in _MESSAGES:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    elif kind[0].isupper():
        field.type, field.type_name = Field.TYPE_ENUM, f".{_PACKAGE}.{message.name}.{kind}"
    else:
        field.type = getattr(Field, f"TYPE_{kind.upper()}")
