"""Whether what comes in is still what it was: features of segments against a reference, suddenly and gradually, slice by slice.

Pure but for `monitor`, which listens. Every feature is looked at through its own reference distribution (`Reference.rank`), so that all are
alike to the detectors, whatever their units and shapes.
"""
