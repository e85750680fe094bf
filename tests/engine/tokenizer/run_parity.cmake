# Generates the cases, unless they are there already, and compares them. Called by ctest.
if(NOT EXISTS ${NPM_DIR}/node_modules)
  message("SKIPPED: to run this test: npm ci --prefix tests/npm")
  return()
endif()

set(generator ${NPM_DIR}/generate_tokenizer_cases.mjs)
set(stamp ${CASES_DIR}.stamp)  # written last, so that an interrupted run starts again
if(${generator} IS_NEWER_THAN ${stamp} OR ${NPM_DIR}/package-lock.json IS_NEWER_THAN ${stamp})
  file(REMOVE_RECURSE ${CASES_DIR} ${stamp})
  execute_process(COMMAND node ${generator} ${CASES_DIR} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "node ${generator}: ${failed}")
  endif()
  file(TOUCH ${stamp})
endif()

execute_process(COMMAND ${PARITY} ${CASES_DIR} ${GOLDEN} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the tokens differ: ${failed}")
endif()
