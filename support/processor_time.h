// Time that a thread has used, whatever else the machine does meanwhile.
#pragma once

namespace lacuna {

// Processor time of the calling thread so far, in seconds; differences mean something.
double thread_seconds();

}  // namespace lacuna
