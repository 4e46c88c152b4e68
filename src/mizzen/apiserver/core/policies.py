"""ValidatingAdmissionPolicies, compiled and evaluated.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating, v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.cel.cost import CostExceeded, Run
from mizzen.cel.program import TypedProgram
from mizzen.cel.tree import CompileError
from mizzen.cel.values import Err
from mizzen.kinds.admission_expressions import Scope, Variables

# Of all policies about one request: about a tenth of a second, during which nobody else is served.
COST_MAX = 20_000
BUILT_BYTES_MAX = 4 << 20
MESSAGE_BYTES_MAX = 5 * 1024  # upstream's MaxEvaluatedMessageExpressionSizeBytes
CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


@dataclass(frozen=True, slots=True)
class Denial:
    """A validation that does not hold; `message` is for people."""

    message: str
    reason: str = "Invalid"


@dataclass(slots=True)
class Bill:
    """What evaluating may still cost."""

    cost: int = COST_MAX
    built: int = BUILT_BYTES_MAX

    def evaluate(self, program: TypedProgram, names: dict[str, object]) -> object:
        """The value, or an Err. Errors: CostExceeded."""
        run = Run(max(self.cost, 0), max(self.built, 0))
        try:
            return program.evaluate(names, run)
        finally:
            self.cost -= run.cost
            self.built -= run.built


Compiled = TypedProgram | CompileError


@dataclass(frozen=True, slots=True)
class _Validation:
    expression: str
    program: Compiled
    message: str
    message_program: Compiled | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Match conditions: all must hold."""

    programs: tuple[tuple[str, Compiled], ...] = ()

    @staticmethod
    def of(written: list[Obj], scope: Scope) -> Conditions:
        """`written`: {name, expression} each."""
        return Conditions(
            tuple(
                (each["expression"], compile_in(scope, each["expression"], "bool"))
                for each in written
            )
        )

    def hold(self, names: dict[str, object], bill: Bill) -> bool | Err:
        """False where one does not, whatever others say; else the first error."""
        problem: Err | None = None
        for expression, program in self.programs:
            value = evaluate(expression, program, names, bill)
            if value is False:
                return False
            if isinstance(value, Err):
                problem = problem or value
        return problem if problem is not None else True


@dataclass(frozen=True, slots=True, eq=False)
class BoundPolicy:
    """The parts that all kinds of policies have, compiled."""

    name: str
    written: Obj
    is_ignored: bool  # where it cannot be evaluated
    conditions: Conditions
    variables: Mapping[str, tuple[str, Compiled]]

    @property
    def constraints(self) -> Obj:
        return part(self.written, "spec", "matchConstraints")

    @property
    def param_kind(self) -> tuple[str, str] | None:
        found = part(self.written, "spec", "paramKind")
        return (text(found, "apiVersion"), text(found, "kind")) if found else None

    def lazily(self, names: dict[str, object], bill: Bill) -> Variables:
        """The value of `variables`."""

        def make(name: str, _: object) -> object:
            expression, program = self.variables[name]
            return evaluate(expression, program, {**names, "variables": made}, bill)

        made = Variables(dict.fromkeys(self.variables, True), make)
        return made


def read_bound(policy: Obj) -> tuple[BoundPolicy, Scope]:
    """What all policies have in common, and the names that its own expressions may use. What does
    not compile is told by each evaluation."""
    spec = part(policy, "spec")
    scope = Scope(has_params="paramKind" in spec)
    conditions = Scope(has_params=scope.has_params, has_variables=False)
    variables: dict[str, tuple[str, Compiled]] = {}
    for each in entries(spec, "variables"):
        program = compile_in(scope, each["expression"])
        variables[each["name"]] = (each["expression"], program)
        if isinstance(program, TypedProgram):
            scope.variables[each["name"]] = program.type
    common = BoundPolicy(
        name=policy["metadata"]["name"],
        written=policy,
        is_ignored=spec.get("failurePolicy") == "Ignore",
        conditions=Conditions.of(entries(spec, "matchConditions"), conditions),
        variables=variables,
    )
    return common, scope


@dataclass(frozen=True, slots=True, eq=False)
class Policy(BoundPolicy):
    """A ValidatingAdmissionPolicy, ready to be asked."""

    validations: tuple[_Validation, ...]
    annotations: tuple[tuple[str, str, Compiled], ...]

    @staticmethod
    def of(policy: Obj) -> Policy:
        spec = part(policy, "spec")
        common, scope = read_bound(policy)
        return Policy(
            common.name,
            common.written,
            common.is_ignored,
            common.conditions,
            common.variables,
            validations=tuple(_validation(scope, each) for each in entries(spec, "validations")),
            annotations=tuple(
                (each["key"], each["valueExpression"], compile_in(scope, each["valueExpression"]))
                for each in entries(spec, "auditAnnotations")
            ),
        )

    def validate(self, names: dict[str, object], bill: Bill) -> tuple[list[Denial], dict[str, str]]:
        """What is denied, and audit annotations by key. `names` are the variables' values, without
        `variables`. A failure is a denial, unless the policy ignores it."""
        matched = self.conditions.hold(names, bill)
        if isinstance(matched, Err):
            return self._failed(matched.reason), {}
        if not matched:
            return [], {}
        given = {**names, "variables": self.lazily(names, bill)}
        denials: list[Denial] = []
        for each in self.validations:
            value = evaluate(each.expression, each.program, given, bill)
            if isinstance(value, Err):
                denials += self._failed(value.reason)
            elif value is not True:
                denials.append(Denial(_message(each, given, bill), each.reason))
        annotations: dict[str, str] = {}
        for key, expression, program in self.annotations:
            value = evaluate(expression, program, given, bill)
            if isinstance(value, Err):
                denials += self._failed(value.reason)
            elif isinstance(value, str) and value.strip():
                annotations[key] = value.strip()
        return denials, annotations

    def _failed(self, reason: str) -> list[Denial]:
        return [] if self.is_ignored else [Denial(reason)]


def _validation(scope: Scope, written: Obj) -> _Validation:
    said = written.get("messageExpression")
    return _Validation(
        expression=written["expression"].strip(),
        program=compile_in(scope, written["expression"], "bool"),
        message=(written.get("message") or "").strip(),
        message_program=compile_in(scope, said, "string", has_authorizer=False) if said else None,
        reason=written.get("reason") or "Invalid",
    )


def compile_in(
    scope: Scope,
    expression: str,
    *wanted: str,
    has_authorizer: bool | None = None,
    builds: str = "",
) -> Compiled:
    """The program, or why there is none. `builds`: the type of what a mutation makes."""
    try:
        return scope.compile(expression, wanted, has_authorizer=has_authorizer, builds=builds)
    except CompileError as error:
        return error


def evaluate(expression: str, program: Compiled, names: dict[str, object], bill: Bill) -> object:
    """The value, or an Err in the words in which policies tell it."""
    if isinstance(program, CompileError):
        return Err(f"compilation error: compilation failed: {program}")
    if bill.cost <= 0 or bill.built <= 0:
        return Err(
            "validation failed due to running out of cost budget, no further validation rules will "
            "be run"
        )
    try:
        value = bill.evaluate(program, names)
    except CostExceeded as error:
        bill.cost = 0
        return Err(f"expression '{expression}' resulted in error: {error}")
    if isinstance(value, Err):
        return Err(f"expression '{expression}' resulted in error: {value.reason}")
    return value


def _message(validation: _Validation, names: dict[str, object], bill: Bill) -> str:
    if isinstance(validation.message_program, TypedProgram):
        made = evaluate("messageExpression", validation.message_program, names, bill)
        said = made.strip() if isinstance(made, str) else ""
        if said and "\n" not in said and len(said.encode()) <= MESSAGE_BYTES_MAX:
            return said
    return validation.message or f"failed expression: {validation.expression}"
