#!/usr/bin/env bash
# diffusers 0.42.1: a scheduler and its saved and loaded copy have equal settings, but are exchanged for different schedulers.
#   (Installs 3 GB.)
#
# Guess: `Euler.from_config(pipeline.scheduler.config)`, the documented way to exchange a scheduler, depends on the settings
#   in `config`. Saving and loading a pipeline changes nothing, so both copies paint the same image.
# What happens: `config` also remembers which settings nobody stated. Those are replaced by the new class's own defaults;
#   stated ones are taken over, even if they have the same value. Files have all settings, so that after saving and loading
#   all are stated. With ten steps Euler starts at step 999 in one case ("linspace", Euler's default) and at step 900 in
#   the other ("leading", the value that both configs show).
# What a user meets: a fine-tuned or merely copied pipeline paints other images than its origin with the same code, prompt
#   and seed, and begins at less than full noise. Comparing the two configs shows no difference.
# What to do: state `timestep_spacing` at each exchange. Decision here: a checkpoint's scheduler keeps its class; a new
#   one of the same class has the same defaults, so that both ways give the same settings.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq diffusers==0.42.1 torch==2.14.1 transformers==5.24.0 numpy==2.4.6

cat >"$folder/exchange.py" <<'PYTHON'
import sys

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

made = DDIMScheduler()
made.save_pretrained(sys.argv[1])
loaded = DDIMScheduler.from_pretrained(sys.argv[1])


def shown(scheduler):
    return {key: value for key, value in scheduler.config.items() if not key.startswith("_")}


def steps(kind, config):
    scheduler = kind.from_config(config)
    scheduler.set_timesteps(10)
    return scheduler.config.timestep_spacing, [round(float(one)) for one in scheduler.timesteps]


differences = {key for key in shown(made) | shown(loaded) if shown(made).get(key) != shown(loaded).get(key)}
print("differences between the two configs:", sorted(differences) or "none")
print("timestep_spacing in both:", made.config.timestep_spacing, loaded.config.timestep_spacing)
found = {}
for kind in (DDIMScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DPMSolverMultistepScheduler):
    found[kind] = [steps(kind, one.config) for one in (made, loaded)]
    for name, (spacing, times) in zip(("made", "saved and loaded"), found[kind], strict=True):
        print(f"{kind.__name__} from the config of the scheduler that was {name}: {spacing}, {times}")
if differences or made.config.timestep_spacing != "leading":
    sys.exit("changed: the configs")
if found[DDIMScheduler][0] != found[DDIMScheduler][1]:
    sys.exit("changed: the same class")
if any((one[0], other[0]) != ("linspace", "leading") for kind, (one, other) in found.items() if kind is not DDIMScheduler):
    sys.exit("changed: the spacing")
if [times[0] for _, times in found[EulerDiscreteScheduler]] != [999, 900]:
    sys.exit("changed: the steps")
PYTHON
"$python" -W ignore "$folder/exchange.py" "$folder/scheduler"
