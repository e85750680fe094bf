# With LACUNA_PCH the large headers of the libraries that a target is linked to are compiled once for
# it, not for each of its files. Off by default: then every file shows whether it
# includes what it uses (as it does to clang-tidy).
function(lacuna_precompile target)
  if(NOT LACUNA_PCH)
    return()
  endif()
  set(headers <algorithm> <functional> <memory> <optional> <span> <string> <vector>)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  if("CLI11::CLI11" IN_LIST libraries)
    list(APPEND headers <CLI/CLI.hpp>)
  endif()
  if("nlohmann_json::nlohmann_json" IN_LIST libraries)
    list(APPEND headers <nlohmann/json.hpp>)
  endif()
  if("Boost::headers" IN_LIST libraries)
    list(APPEND headers <boost/asio.hpp>)
  endif()
  if("GTest::gmock" IN_LIST libraries)
    list(APPEND headers <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  target_precompile_headers(${target} PRIVATE ${headers})
endfunction()

# lacuna_module(NAME SOURCES ... DEPS ... [PRIVATE_DEPS ...])
# One static library for each top-level folder. Headers are included by their path from the
# repository root ("engine/denoiser.h"), so the compiler cannot see a wrong dependency:
# cmake/check_layers.py does, and runs as the test `layers`.
function(lacuna_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(lacuna_${name} STATIC ${ARG_SOURCES})
  add_library(lacuna::${name} ALIAS lacuna_${name})
  target_include_directories(lacuna_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(lacuna_${name} PUBLIC ${ARG_DEPS} PRIVATE lacuna_options ${ARG_PRIVATE_DEPS})
  lacuna_precompile(lacuna_${name})
endfunction()

# lacuna_test(NAME SOURCES ... DEPS ... [LABELS ...])
# One gtest program. Tests find their data through LACUNA_TEST_DATA (tests/data) and
# LACUNA_SOURCE_DIR. Labels: gpu (needs a device) and slow are left out of the everyday preset;
# threads marks what runs under the thread sanitizer: the target threaded_tests builds it; process
# marks tests of the whole executable, which sanitizers leave out.
add_custom_target(threaded_tests)
function(lacuna_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lacuna_options GTest::gtest_main GTest::gmock ${ARG_DEPS})
  lacuna_precompile(${name})
  target_compile_definitions(${name} PRIVATE
    LACUNA_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
    LACUNA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} PROPERTIES LABELS "${ARG_LABELS}" DISCOVERY_TIMEOUT 60)
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(threaded_tests ${name})
  endif()
endfunction()
