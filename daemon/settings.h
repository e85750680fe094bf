// Settings of the daemon and of its sessions.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace lacuna::daemon {

// Every field is described, with unit and bounds, in the table of settings.cpp, from which the JSON
// schema and docs/settings.md are made.
struct Settings {
  // Of the daemon: user file < environment < command line.
  std::string model;  // a name or a folder; empty: the default model
  std::string device = "auto";
  int threads = 0;
  int idle_unload_minutes = 10;
  int idle_exit_minutes = 30;
  int max_queued = 64;
  std::string http_address;  // "127.0.0.1:8012"; empty: off
  std::string http_token;
  std::string log_level = "info";

  // Of a session: those above < editor.
  bool enable = true;
  std::map<std::string, bool> languages = {{"*", true}};
  std::vector<std::string> exclude;
  std::string trigger = "automatic";
  std::string profile = "fast";
  int max_tokens = 48;
  int alternatives = 3;
  double min_confidence = 0.25;
  bool speculate = true;
  bool completion = false;
  int context_tokens = 256;
};

}  // namespace lacuna::daemon
