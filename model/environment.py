"""The environment fingerprint: what, other than data, configuration and seed, can change a bit of the weights."""

import platform

import llvmlite.binding as llvm
import numba
import numpy as np
import threadpoolctl


def _simd() -> str:
    """The instruction sets that NumPy's loops use on this machine, beyond its baseline."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return " ".join([*found.get("baseline", []), *found.get("found", [])])


def _blas() -> tuple[str, str]:
    """Name and version of the BLAS that NumPy calls, and the type of core its kernels are chosen for."""
    libraries = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    # SciPy loads a copy of its own, or not, depending on what was imported: it computes no weights.
    own = [info for info in libraries if "numpy" in info["filepath"]] or libraries
    names = sorted({f"{info['internal_api']} {info.get('version')}" for info in own})
    cores = sorted({str(info.get("architecture", "unknown")) for info in own})
    if not own:
        build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        names = [f"{build.get('name', 'unknown')} {build.get('version', '')}".strip()]
    return ", ".join(names), ", ".join(cores) or "unknown"


def fingerprint() -> dict[str, str]:
    """Versions and kinds of all that computes weights here: text by name, as kept in checkpoints."""
    blas, core = _blas()
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or "unknown",
        "numpy": np.__version__,
        "simd": _simd(),
        "blas": blas,
        "core": core,
        "numba": numba.__version__,
        "llvm": ".".join(map(str, llvm.llvm_version_info)),
        "cpu": getattr(numba.config, "CPU_NAME", None) or llvm.get_host_cpu_name(),
    }


def differences(a: dict[str, str], b: dict[str, str]) -> list[str]:
    """What differs between two fingerprints, a line each, such as "numpy: 2.4.6, not 2.4.1"; empty if nothing."""
    return [
        f"{name}: {a.get(name, 'unknown')}, not {b.get(name, 'unknown')}"
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name)
    ]
