"""`deimv2 distill`: the small ViTs of S and M from DINOv3's ViT-S, on any photos."""

import argparse
from pathlib import Path
from typing import Any

from cli import console
from cli.counts import count, natural, rate
from model.errors import InputError

EXAMPLE = "example: deimv2 distill --teacher dinov3_vits16.pth --images photos --output runs/vit"
STUDENTS = ("vit-tiny", "vit-tiny-plus")
KEPT = ("teacher", "images", "student", "epochs", "batch", "side", "lr", "seed")


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "distill",
        help="make a small ViT backbone from DINOv3's",
        description="Trains ViT-Tiny (the backbone of S) or ViT-Tiny+ (of M) to give the features "
        "of DINOv3's ViT-S, whose weights you bring. The result goes into "
        "'deimv2 train --variant s --backbone DIR/best.safetensors'.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="DINOv3 ViT-S, as released")
    parser.add_argument("--images", type=Path, metavar="DIR", help="photos, also in subfolders")
    parser.add_argument("--student", choices=STUDENTS, default="vit-tiny", help="default: vit-tiny")
    parser.add_argument("--epochs", type=count, default=50, metavar="N", help="default: 50")
    parser.add_argument("--batch", type=count, default=64, metavar="N", help="default: 64")
    parser.add_argument("--side", type=count, default=224, metavar="N", help="default: 224 pixels")
    parser.add_argument("--lr", type=rate, default=1e-3, metavar="X", help="default: 0.001")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="default: 0")
    parser.add_argument("--device", metavar="cpu|cuda", help="default: cuda where there is one")
    parser.add_argument("--workers", type=natural, default=2, metavar="N", help="default: 2")
    parser.add_argument("--save-minutes", type=float, default=5.0, metavar="X", help="default: 5")
    parser.add_argument("--report-every", type=count, default=20, metavar="STEPS")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with a stopped one")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: runs/STUDENT")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.journal import Screen
    from model.files import make_folder
    from model.images import find_photos
    from training.checkpoint import BEST, LAST, StopError, read_state
    from training.distill import Crops, Distillation, Distiller, load_teacher, new_student
    from training.world import usable_device

    state = None if args.resume is None else read_state(args.resume)
    if state is not None:
        if "student" not in state:
            raise InputError(
                f"'{args.resume}' holds no distillation, expected a stopped one; go on with the "
                f"command that made it: deimv2 train --resume {args.resume}"
            )
        stored = {
            k: Path(v) if k in ("teacher", "images") else v for k, v in state["about"].items()
        }
        args = argparse.Namespace(**(vars(args) | stored | {"output": args.resume}))
    if args.teacher is None or args.images is None:
        raise InputError("the teacher or the photos are missing; give --teacher FILE --images DIR")
    output = args.output or Path("runs") / args.student
    if state is None and (output / LAST).exists():
        raise InputError(
            f"'{output}' holds one already; give --resume {output} or another --output"
        )
    photos = find_photos(args.images, below=True)
    crops = Crops(photos, Distillation(args.epochs, args.batch, args.side, args.lr, seed=args.seed))
    with console.status(f"reading {args.teacher}"):
        teacher = load_teacher(args.teacher)
    device = usable_device(args.device)
    make_folder(output)
    about = {k: str(v) if isinstance(v := getattr(args, k), Path) else v for k in KEPT}
    distiller = Distiller(
        new_student(args.student, args.seed), teacher, crops, output, device, Screen(output), about
    )
    if state is not None:
        distiller.restore(state)
    try:
        distiller.run(args.workers, args.save_minutes * 60, args.report_every)
    except StopError:
        console.log(
            f"stopped at step {distiller.step}; go on with: deimv2 distill --resume {output}"
        )
        return 130
    best = output / BEST
    if args.json:
        console.print_json({"weights": str(best), "steps": distiller.step})
    else:
        print(best)
    return 0
