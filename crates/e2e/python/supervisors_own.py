"""Runs every COUNT-th of Supervisor's own end-to-end tests, from INDEX on, with EXECUTABLE in the place of Python.

usage: supervisors_own.py FOLDER EXECUTABLE INDEX COUNT    FOLDER holds the package `own`, a copy of supervisor.tests
"""

import os
import sys
import unittest

folder, executable, index, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.environ["END_TO_END"] = "1"
sys.path.insert(0, folder)
sys.executable = executable

from own import test_end_to_end  # noqa: E402

names = unittest.TestLoader().getTestCaseNames(test_end_to_end.EndToEndTests)
suite = unittest.TestSuite(test_end_to_end.EndToEndTests(name) for name in names[index::count])
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
sys.exit(0 if result.wasSuccessful() else 1)
