"""``python -m swipewise``, which is also what ``torchrun -m swipewise train`` starts."""

from swipewise.cli import main

if __name__ == "__main__":
    main()
