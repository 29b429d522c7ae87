"""The changes: each makes one expression or statement of a module do something else."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_NOT_RUN: Final = ("Protocol", "TYPE_CHECKING")


@dataclass(frozen=True)
class Mutant:
    """One change: the line it is in, what it was and what it is, and the module's tree with it."""

    line: int
    before: str
    after: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """What it is called in lists."""
        return f"{self.line}: {self.before} -> {self.after}"


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, one after the other."""
    places = [*_places(ast.parse(source))]
    for position, (node, _) in enumerate(places):
        for number, _ in enumerate(_changes(node)):
            tree = ast.parse(source)
            place, parent = [*_places(tree)][position]
            changed = [*_changes(place)][number]
            before = ast.unparse(place).splitlines()[0]
            after = ast.unparse(changed).splitlines()[0]
            _replace(parent, place, changed)
            yield Mutant(place.lineno, before, after, ast.fix_missing_locations(tree))


def _places(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, ast.AST]]:
    """Yield every node that may be changed and its parent, always in the same order."""
    pending: list[ast.AST] = [tree]
    while pending:
        parent = pending.pop(0)
        for child in ast.iter_child_nodes(parent):
            if _is_skipped(child, parent):
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield child, parent
            pending.append(child)


def _is_skipped(node: ast.AST, parent: ast.AST) -> bool:
    """Whether nothing is run there: annotations, docstrings, protocols, imports for types, and log lines."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Expr) and ast.unparse(node).startswith("_LOG."):
        return True  # what is logged is for people
    if isinstance(node, ast.ClassDef) and any(ast.unparse(base) in _NOT_RUN for base in node.bases):
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) in _NOT_RUN:
        return True
    if isinstance(parent, ast.arg) or (isinstance(parent, ast.AnnAssign) and node is parent.annotation):
        return True
    if isinstance(parent, ast.FunctionDef) and (node is parent.returns or node in parent.decorator_list):
        return True
    return isinstance(parent, ast.ClassDef) and (node in parent.bases or node in parent.decorator_list)


def _changes(node: ast.expr | ast.stmt) -> Iterator[ast.expr | ast.stmt]:
    """Yield what a node may be changed into."""
    changed = copy.deepcopy(node)
    if isinstance(changed, ast.Compare) and len(changed.ops) == 1 and type(changed.ops[0]) in _COMPARISONS:
        changed.ops = [_COMPARISONS[type(changed.ops[0])]()]
        yield changed
    elif isinstance(changed, ast.BoolOp):
        changed.op = ast.Or() if isinstance(changed.op, ast.And) else ast.And()
        yield changed
    elif isinstance(changed, ast.UnaryOp) and isinstance(changed.op, ast.Not):
        yield changed.operand
    elif isinstance(changed, ast.BinOp) and type(changed.op) in _OPERATORS:
        changed.op = _OPERATORS[type(changed.op)]()
        yield changed
    elif isinstance(changed, ast.Constant):
        if isinstance(changed.value, bool):
            yield ast.Constant(not changed.value)
        elif isinstance(changed.value, int | float):
            yield ast.Constant(changed.value + 1)
    elif isinstance(changed, ast.IfExp):
        changed.body, changed.orelse = changed.orelse, changed.body
        yield changed
    elif isinstance(changed, ast.If | ast.While) and not isinstance(changed.test, ast.Compare | ast.UnaryOp):
        changed.test = ast.UnaryOp(ast.Not(), changed.test)
        yield changed
    elif isinstance(changed, ast.Return) and changed.value is not None and ast.unparse(changed.value) != "None":
        changed.value = ast.Constant(None)
        yield changed
    elif isinstance(changed, ast.Raise) or (isinstance(changed, ast.Expr) and isinstance(changed.value, ast.Call)):
        yield ast.Pass()
    elif isinstance(changed, ast.Continue):
        yield ast.Break()
    elif isinstance(changed, ast.Break):
        yield ast.Continue()
    elif isinstance(changed, ast.Assign) and isinstance(changed.targets[0], ast.Attribute):
        yield ast.Pass()


def _replace(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
            return
        if isinstance(value, list) and any(each is old for each in value):
            value[[each is old for each in value].index(True)] = new
            return
    raise ValueError(f"{ast.unparse(old)} is not in its parent")
