class build_py:
    build_lib: str
    editable_mode: bool

    def run(self) -> None: ...
