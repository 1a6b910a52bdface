"""`koutu search`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.search.plan import SearchPlan

if TYPE_CHECKING:
    from koutu.search.evolve import Tried


def search(
    recipe: Annotated[Path, typer.Argument(readable=False, help="A YAML file for a supernet: recipes/search.yaml.")],
    changes: options.Changes = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="Folder for the search and what it finds.")
    ] = Path("search"),
    population: Annotated[int, typer.Option(min=4, help="Networks in each generation.")] = SearchPlan.population,
    generations: Annotated[int, typer.Option(min=1, help="Generations, one after another.")] = SearchPlan.generations,
    clips: Annotated[
        int, typer.Option(min=1, help="Held-out scenes that each network is judged on.")
    ] = SearchPlan.clips,
    engine: Annotated[str, typer.Option(help="Engine whose time counts: onnxruntime or openvino.")] = SearchPlan.engine,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the engine.")] = SearchPlan.threads,
    budget_ms: Annotated[
        float | None,
        typer.Option(min=0.0, help="Most milliseconds a frame of the network chosen; the front's knee if not given."),
    ] = SearchPlan.budget,
    seed: options.Seed = SearchPlan.seed,
) -> None:
    """Search tmodnet's shape for this machine: supernet, latency table, evolution. The same command goes on.

    The folder gets front.json and front.svg, and chosen.pt with chosen.yaml, which `koutu train` trains on.

    \b
    koutu search recipes/search.yaml people=packs/people backgrounds=packs/backgrounds -o searched
    koutu search recipes/search.yaml --engine openvino --budget-ms 8 -o searched
    koutu train searched/chosen.yaml -o runs/chosen
    """
    from koutu.train import require

    require()
    from koutu.search.run import search as run
    from koutu.train.recipe import read_recipe
    from koutu.train.watch import Bar
    from koutu.types import OutputError

    plan = SearchPlan(population, generations, clips, engine=engine, threads=threads, budget=budget_ms, seed=seed)
    given = read_recipe(recipe, changes or [])
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"expected a folder that can be made at {output}, got {e.strerror}; name another") from e
    with Bar("supernet") as watch:
        found = run(given, output, plan, watch=watch, tell=lambda t: print(_line(t)))
    fit = found.table.fit
    print(f"latency table: correlation {fit.correlation:.3f} with {fit.networks} whole networks, "
          f"median error {100 * fit.error:.0f} %")  # fmt: skip
    print(f"MODNet with MobileNetV2-1.0 at 512×288: {found.reference:.1f} ms")
    print("front, of", found.tried, "networks tried: milliseconds, mean |error| × 1000")
    for t in found.front:
        print("→" if t is found.best else " ", _line(t))
    for name in ("front.json", "front.svg", "chosen.pt", "chosen.yaml"):
        print(f"wrote {output / name}")


def _line(tried: "Tried") -> str:
    return f"{tried.ms:7.2f} ms {tried.mad:7.2f}  {tried.choice.summary()}"
