# Files as constants of C++.

# Writes OUTPUT, a C++ file that defines in `namespace` for each NAME=FILE pair the function `std::string_view NAME()` with the file's
# bytes, and `std::string_view NAME_sha256()` with its hash in hexadecimal. It is written anew only where a file has changed. The
# assembler reads the files when it is compiled: megabytes as a literal take a compiler minutes.
function(inn_embed output header namespace)
  set(code "// Made by cmake/InnEmbed.cmake.\n#include \"${header}\"\n\n#include <string_view>\n\n")
  set(functions "namespace ${namespace} {\n\n")
  foreach(pair IN LISTS ARGN)
    string(REGEX MATCH "^([^=]+)=(.+)$" _ "${pair}")
    set(name ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(SHA256 ${file} hash)
    set(symbol inn_embedded_${name})
    string(APPEND code "__asm__(\".pushsection .rodata\\n.balign 64\\n.globl ${symbol}\\n.hidden ${symbol}\\n${symbol}:\\n\"\n"
                       "        \".incbin \\\"${file}\\\"\\n.globl ${symbol}_end\\n.hidden ${symbol}_end\\n${symbol}_end:\\n\"\n"
                       "        \".byte 0\\n.popsection\\n\");\n"
                       "extern \"C\" const char ${symbol}[], ${symbol}_end[];\n\n")
    string(APPEND functions
           "std::string_view ${name}() { return {${symbol}, static_cast<size_t>(${symbol}_end - ${symbol})}; }\n"
           "std::string_view ${name}_sha256() { return \"${hash}\"; }\n\n")
  endforeach()
  string(APPEND code "${functions}}  // namespace ${namespace}\n")
  set(before "")
  if(EXISTS ${output})
    file(READ ${output} before)
  endif()
  if(NOT before STREQUAL code)
    file(WRITE ${output} "${code}")
  endif()
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON)
endfunction()
