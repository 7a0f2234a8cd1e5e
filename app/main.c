/* main.c - the program. */
#include "handlers.h"

int main(int argc, char **argv)
{
	return ath_main(&app, argc, argv);
}
