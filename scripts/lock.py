"""Prints what is installed in this environment as pins, without addresses and without the project itself."""

from importlib.metadata import distributions

LEFT_OUT = {"allears", "pip", "setuptools", "wheel"}
MARKERS = {"uvloop": "; sys_platform != 'win32'"}


def main() -> None:
    found = {dist.name.lower().replace("_", "-"): dist.version for dist in distributions()}
    print("# Pins for `make install`; made by `make lock`.")
    for name in sorted(found.keys() - LEFT_OUT):
        print(f"{name}=={found[name]}{MARKERS.get(name, '')}")


if __name__ == "__main__":
    main()
