"""What Python 3.7 does not know, found in a source file: syntax, names of its library, and foreign modules."""

import ast
import re

YOUNGER = {
    "removeprefix", "removesuffix", "prod", "dist", "isqrt", "comb", "perm", "cache", "cached_property", "bit_count",
    "missing_ok", "dirs_exist_ok", "is_relative_to", "pairwise", "default_rng", "Generator", "NDArray", "TypeAlias",
    "Protocol", "Literal", "Final", "TypedDict", "graphlib", "zoneinfo", "tomllib", "posix_spawn", "raise_signal",
    "excepthook", "cancel_futures", "strsignal", "multiline", "to_thread", "aclosing", "nullcontext_async",
}  # fmt: skip
BUILT_IN = {"list", "dict", "tuple", "set", "frozenset", "type"}


def problems(source: str, modules: set[str]) -> list[str]:
    """Each with its line. modules: what may be imported."""
    try:
        tree = ast.parse(source, feature_version=(3, 7))
    except SyntaxError as e:
        return [f"{e.lineno}: {e.msg}"]
    return [f"{getattr(node, 'lineno', 0)}: {what}" for node in ast.walk(tree) for what in _found(node, modules)]


def _found(node: ast.AST, modules: set[str]) -> list[str]:
    found = []
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        found += [f"imports {name}" for name in names if name.split(".")[0] not in modules]
        if isinstance(node, ast.ImportFrom):
            found += [f"imports {alias.name}" for alias in node.names if alias.name in YOUNGER]
    if isinstance(node, ast.Attribute) and node.attr in YOUNGER:
        found.append(f"uses {node.attr}")
    if isinstance(node, ast.keyword) and node.arg in YOUNGER | {"strict", "encoding_errors", "key_only", "slots"}:
        found.append(f"passes {node.arg}")
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in BUILT_IN:
        found.append(f"subscribes {node.value.id}")
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.BitOr):
        sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
        found += ["unites dicts or types"] * any(map(_dict_or_type, sides))
    if isinstance(node, ast.JoinedStr):
        found += _self_documenting(node)
    if isinstance(node, ast.NamedExpr):
        found.append("walrus")
    return found


def _dict_or_type(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "dict"
    known = {"int", "str", "float", "bytes", *BUILT_IN}
    return isinstance(node, ast.Dict | ast.DictComp) or (isinstance(node, ast.Name) and node.id in known)


def _self_documenting(node: ast.JoinedStr) -> list[str]:
    """f"{x=}" is stored as "x=" and the representation of x."""
    for before, value in zip(node.values, node.values[1:], strict=False):
        if isinstance(before, ast.Constant) and isinstance(value, ast.FormattedValue):
            tail = re.sub(r"\s", "", str(before.value))
            if tail.endswith(re.sub(r"\s", "", ast.unparse(value.value)) + "=") and value.conversion == ord("r"):
                return ["f-string with ="]
    return []
