#include "cli/program.h"

int main(int argc, char** argv) { return inn::cli::run_program(argc, argv); }
