"""Finding what is wrong with a config and its data before a run starts.

Checks are pure functions: data in, :class:`~custom_datasets.checking.finding.Finding`
objects out. Nothing here prints, builds a model or imports torch.
"""
