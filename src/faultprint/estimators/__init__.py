"""Estimators with the methods of other libraries: scikit-learn's for windows, river's for one minute after the other."""
