// The system calls that a program in the sandbox may not make, as a seccomp filter.
//
// Refused (EPERM): sockets; new processes and threads; signals and other reach into processes;
// everything that creates, changes or removes a file, so every open for writing; shared memory and
// queues that would outlive the program; mounting, tracing, and calls newer than this file. What is
// left is to compute and to read.
#pragma once

#include <linux/filter.h>
#include <span>

namespace lacuna::cli {

// Empty on processors it was not written for.
std::span<const sock_filter> sandbox_filter();

}  // namespace lacuna::cli
