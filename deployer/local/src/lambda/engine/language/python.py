"""Starts a Python function with AWS's own runtime client: python.py LAYER... -- FOLDER..., the folders of its layers and
those of what Lambda itself provides."""

import os
import sys

# The script's own folder is nothing of the function's, and of what this machine happens to have installed Lambda has nothing.
sys.path.pop(0)
sys.path[:] = [p for p in sys.path if not p.endswith(("site-packages", "dist-packages"))]
end = sys.argv.index("--")
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *sys.argv[1:end]]
sys.path.extend(sys.argv[end + 1 :])

from awslambdaric.__main__ import main  # noqa: E402

main(["bootstrap", os.environ["_HANDLER"]])
