"""Write the demo's patients and requests from the stories: `python -m fhir_fixtures.generate`."""

import json
from collections.abc import Iterator
from pathlib import Path

from fhir_fixtures.fhir import HERE, Json, lookup
from fhir_fixtures.stories import BuiltStory, build, read_story

STORIES = HERE / "stories"
INDEX = "index.json"


def scenarios() -> Iterator[tuple[Json, BuiltStory]]:
    """Yield every story of the demo with its FHIR, sorted by id."""
    for path in sorted(STORIES.glob("*.yaml")):
        story = read_story(path)
        yield story, build(path.stem, story)


def entry(story: Json, built: BuiltStory) -> Json:
    """Return what the demo's list of patients shows of one story."""
    determination = story["expect"]["determination"]
    products = [lookup("products", name) for name in story.get("coverage", [])]
    return {
        "id": built.name,
        "patient": built.request["context"]["patientId"],
        "name": story["patient"]["name"],
        "age": story["patient"]["age"],
        "sex": story["patient"]["sex"],
        "story": story["title"],
        "shows": story["shows"],
        "payers": [{"payer": row["payor-name"], "product": row["name"]} for row in products],
        "policy": None if determination == "not-applicable" else story["policy"],
        "determination": determination,
    }


def files() -> dict[str, Json]:
    """Return the content of every generated file by its path below this package."""
    made: dict[str, Json] = {}
    listed = []
    for story, built in scenarios():
        words = f"{story['title']}. {story['shows']}"
        titled = built.record | {"meta": {"tag": [{"display": words}]}}
        made[f"patients/{built.name}.json"] = titled
        made[f"requests/{built.name}.json"] = built.request
        listed.append(entry(story, built))
    return made | {INDEX: {"patients": listed}}


def text(content: Json) -> str:
    """Return a file's text: indented JSON with a final line feed."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write(folder: Path = HERE) -> int:
    """Write every file, delete those of stories that are gone, return how many were written."""
    made = files()
    for part in ("patients", "requests"):
        (folder / part).mkdir(exist_ok=True)
        for path in (folder / part).glob("*.json"):
            if f"{part}/{path.name}" not in made:
                path.unlink()
    for name, content in made.items():
        (folder / name).write_text(text(content), encoding="utf-8")
    return len(made)


if __name__ == "__main__":
    print(f"{write()} files written")
