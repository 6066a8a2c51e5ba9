"""All tenants' policies: `tenants/<tenant>.yaml` in the folder of the configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from retention_worker.configfiles.policy_file import FileOutcome, PolicyFile, misplaced, outcome_of
from retention_worker.configfiles.problems import in_order
from retention_worker.configfiles.text import problem, refused, remedy
from retention_worker.domain.errors import FileProblem
from retention_worker.domain.policy.policy import PolicyBounds

FOLDER = "tenants"
# Kubernetes keeps the versions of a mounted ConfigMap in entries that start so.
KUBERNETES_PREFIX = ".."


@dataclass(frozen=True, kw_only=True)
class PolicySet:
    """All files: the right ones by tenant in order of name, and what is wrong with the others.

    A tenant in `broken` is not swept; its name is that of its file.
    """

    files: Mapping[str, PolicyFile]
    problems: tuple[FileProblem, ...]
    broken: frozenset[str]


def load_policies(
    config_dir: Path, bounds: PolicyBounds, only: Sequence[str] | None = None
) -> PolicySet:
    """Read every `<config_dir>/tenants/*.yaml`; with `only`, answer for those tenants.

    A file that is wrong never stops the others. A tenant of `only` without a file is broken. All
    files are read even with `only`, because any of them may claim the same tenant_id.

    Raises:
        FileProblemsError: the folder is missing or cannot be read.
    """
    folder = config_dir / FOLDER
    outcomes: dict[str, FileOutcome] = {}
    found: dict[str, list[FileProblem]] = defaultdict(list)  # by tenant; "": of no tenant
    for path in _listed(folder):
        if stray := misplaced(path):
            found[_tenant_meant(path)].append(stray)
        else:
            outcomes[path.stem] = outcome = outcome_of(path, bounds)
            found[path.stem] += outcome.problems
    for tenant, claim in _claimed_twice(folder, outcomes):
        found[tenant].append(claim)
    for tenant in set(only or ()) - outcomes.keys() - found.keys():
        message = "there is no such file: create it, or mend the tenant's name"
        found[tenant].append(problem(folder / f"{tenant}.yaml", 1, 1, message))
    wanted = outcomes.keys() | found.keys() if only is None else set(only)
    broken = {tenant for tenant in wanted if tenant and found[tenant]}
    return PolicySet(
        files={
            tenant: outcome.file
            for tenant, outcome in sorted(outcomes.items())
            if outcome.file and tenant in wanted and tenant not in broken
        },
        problems=tuple(in_order(fault for tenant in wanted for fault in found[tenant])),
        broken=frozenset(broken),
    )


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith(KUBERNETES_PREFIX))
    except OSError as exc:
        raise refused(folder, 1, 1, f"cannot be read ({exc.strerror}): {remedy(exc)}") from exc


def _tenant_meant(path: Path) -> str:
    """Whose policy a misplaced file was meant to be.

    Who edits `acme.yml` believes that it counts, so acme is not swept by `acme.yaml` beside it;
    `acme.yaml.bak` or `README` are nobody's.
    """
    return path.stem if path.suffix.lower() in {".yaml", ".yml"} else ""


def _claimed_twice(
    folder: Path, outcomes: Mapping[str, FileOutcome]
) -> list[tuple[str, FileProblem]]:
    """A problem for each tenant whose tenant_id another file has too."""
    tenants: dict[str, list[str]] = defaultdict(list)
    for tenant, outcome in outcomes.items():
        tenants[outcome.tenant_id].append(tenant)
    problems = []
    for tenant_id, claimants in tenants.items():
        for tenant in claimants if len(claimants) > 1 else ():
            others = ", ".join(f"{other}.yaml" for other in claimants if other != tenant)
            message = f"{tenant_id!r} is in {others} too: give each tenant its own"
            at = outcomes[tenant]
            path = folder / f"{tenant}.yaml"
            problems.append((tenant, problem(path, at.line, at.column, message, "tenant_id")))
    return problems
