"""Interrupt a small experiment at random, damage its files in between, and compare with an undisturbed run.

    make drill FAULTS=50 SEED=1          # python -m tools.drill results/drill --faults 50 --seed 1

The experiment is run once without faults. Then it is run from scratch, again and again: each session of
Snakemake is interrupted in one of eight ways (`tools.drill.faults`) at a moment that is counted in events,
such as a new file or a new answer (`tools.drill.progress`); a file may be damaged (`tools.drill.damage`); and
the commands of the documentation go on (`tools.drill.session`). A finished run is compared with the
undisturbed one byte by byte (`tools.drill.compare`). What was done is written to a file after each fault, so
that a drill that was itself interrupted goes on (`tools.drill.records`).
"""
