"""Who makes a batch: this process, the processes of this machine, or the machines of a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from koutu.batch.on_ray import Cluster
from koutu.batch.plan import BatchPlan, limit_mb
from koutu.batch.pool import Alone, Pool, Processes
from koutu.cluster import joined
from koutu.types import InputError


@contextmanager
def pool_for(plan: BatchPlan, *, threads: int = 1, here: bool = False, ray: str = "") -> Iterator[Pool]:
    """The one that was asked for; raises a KoutuError where it cannot be had. ray: a cluster's address, "" for none."""
    if here and ray:
        raise InputError("expected --here or --ray, got both; leave one out")
    if here:
        yield Alone()
    elif ray:
        with joined(ray) as cluster:
            yield Cluster(cluster, plan.workers, threads=threads, limit_mb=plan.max_memory)
    else:
        yield Processes(plan.workers, threads=threads, limit_mb=limit_mb(plan))
