"""The stages, one subject a file: each binds artefacts and settings to functions of the rooms below."""
