#include "daemon/fill_service.h"

namespace lacuna::daemon {

std::string_view name_of(Priority priority) {
  switch (priority) {
    case Priority::Interactive:
      return "interactive";
    case Priority::Requested:
      return "requested";
    case Priority::Background:
      return "background";
  }
  return "unknown";
}

std::string_view name_of(ModelPhase phase) {
  switch (phase) {
    case ModelPhase::Unloaded:
      return "unloaded";
    case ModelPhase::Loading:
      return "loading";
    case ModelPhase::Ready:
      return "ready";
    case ModelPhase::Failed:
      return "failed";
  }
  return "unknown";
}

}  // namespace lacuna::daemon
