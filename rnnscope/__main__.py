"""The command rnnscope, and python -m rnnscope."""

import sys


def main() -> None:
    """Open the window at once; with arguments, ask the command line, whose own imports would keep the window waiting."""
    if sys.argv[1:]:
        from rnnscope.cli import main as command

        command()
        return
    from rnnscope.app.main import run
    from rnnscope.app.preflight import DisplayProblem

    try:
        sys.exit(run())
    except DisplayProblem as problem:
        sys.stderr.write(f"rnnscope: {problem}\n")
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
