# To install or package takes what has been built: the target lacuna is enough.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

# What `cmake --install` and the Debian package hold. The executable finds its models in
# ../share/lacuna/models, so the prefix may be any.
install(TARGETS lacuna RUNTIME DESTINATION bin)
install(DIRECTORY models/lacuna-small DESTINATION share/lacuna/models)
install(FILES models/README.md models/SAMPLES.md DESTINATION share/lacuna/models)
install(FILES docs/settings.schema.json DESTINATION share/lacuna)

# Neovim looks for packages in nvim/site of every folder of data. `opt`: `:packadd lacuna` loads it,
# and nobody has it who did not ask for it.
install(DIRECTORY editor-plugins/neovim/ DESTINATION share/nvim/site/pack/lacuna/opt/lacuna
        PATTERN tests EXCLUDE PATTERN tags EXCLUDE PATTERN .luacheckrc EXCLUDE)
# What `:helptags` would write: the folder of an installed package is not the user's to write to.
file(STRINGS editor-plugins/neovim/doc/lacuna.txt help ENCODING UTF-8)
string(REGEX MATCHALL "\\*[^*| ]+\\*" tags "${help}")
list(SORT tags CASE SENSITIVE)
set(lines "")
foreach(tag ${tags})
  string(REPLACE "*" "" name "${tag}")
  string(APPEND lines "${name}\tlacuna.txt\t/${tag}\n")
endforeach()
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/tags" "${lines}")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tags"
        DESTINATION share/nvim/site/pack/lacuna/opt/lacuna/doc)
# Made by `npm run package` (scripts/package.sh); VS Code installs it from this file.
install(FILES editor-plugins/vscode/dist/lacuna.vsix DESTINATION share/lacuna OPTIONAL)

# What is linked into the executable, with its licences. Libraries that are packages of their own
# come with theirs.
set(copyright "${CMAKE_CURRENT_BINARY_DIR}/copyright")
file(READ LICENSE licence)
file(WRITE "${copyright}" "Lacuna\n\n${licence}")
file(GLOB grammars LIST_DIRECTORIES true "${LACUNA_GRAMMAR_ROOT}/tree-sitter*"
     "${LACUNA_GRAMMAR_ROOT}/@tree-sitter-grammars/tree-sitter*")
foreach(package ${grammars})
  file(GLOB licences "${package}/LICENSE*")
  if(NOT licences)
    message(FATAL_ERROR "${package} has no licence file: it cannot be part of a package")
  endif()
  get_filename_component(name "${package}" NAME)
  list(GET licences 0 path)
  file(READ "${path}" licence)
  file(APPEND "${copyright}" "\n\n${name}\n\n${licence}")
endforeach()
# Headers only, so that they leave no package behind that would bring them.
foreach(package nlohmann-json3-dev libcli11-dev)
  set(path "/usr/share/doc/${package}/copyright")
  if(EXISTS "${path}")
    file(READ "${path}" licence)
    file(APPEND "${copyright}" "\n\n${package}\n\n${licence}")
  endif()
endforeach()
install(FILES "${copyright}" DESTINATION share/doc/lacuna)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lacuna)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "fills gaps in code with diffusion language models")
set(CPACK_PACKAGE_CONTACT "The Lacuna developers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION editors)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "neovim (>= 0.10)")
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
include(CPack)
