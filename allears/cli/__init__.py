"""The command line. One module per family of commands; heavy imports happen inside the commands."""
