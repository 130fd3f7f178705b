/**
 * @file Sends SIGINT, as Ctrl-C does, to the process whose id is the argument. In a process of its own,
 * since sending a signal takes the permission to run anything, which the server does without.
 */

if (import.meta.main) Deno.kill(Number(Deno.args[0]), "SIGINT");
