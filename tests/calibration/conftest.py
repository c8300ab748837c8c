import sys
from pathlib import Path

# The classifiers that the tests share; workers of joblib inherit sys.path.
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
