"""Starts a Python function with AWS's own runtime client: python.py FOLDER..., the folders of what Lambda itself provides."""

import os
import sys

# The script's own folder is nothing of the function's, and of what this machine happens to have installed Lambda has nothing.
sys.path.pop(0)
sys.path[:] = [p for p in sys.path if not p.endswith(("site-packages", "dist-packages"))]
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
sys.path.extend(sys.argv[1:])

from awslambdaric.__main__ import main  # noqa: E402

main(["bootstrap", os.environ["_HANDLER"]])
