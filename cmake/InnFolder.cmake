# One folder of the library: headers in include/inn/NAME, sources in src/NAME, tests in tests/NAME.
#
#   inn_folder(NAME DEPENDS FOLDER...)   the folder's objects; DEPENDS are the folders it may include from
#   inn_library()                        the library of all folders, and its installed package
#   inn_folder_test(NAME DEFINITION...)  the program NAME_test of tests/NAME, linked to the folder and what it stands on
#
# A folder's test links no folder that it may not include from, so a wrong include fails to link.

add_library(inn_flags INTERFACE)
target_compile_options(inn_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra $<$<BOOL:${INN_WERROR}>:-Werror>>)
# The fmt that is found first is torch's own copy of the headers, which has no library.
# libtorch is a release build: without NDEBUG its headers check members that only its debug build sets.
target_compile_definitions(inn_flags INTERFACE FMT_HEADER_ONLY=1 NDEBUG)
target_link_libraries(inn_flags INTERFACE inn_torch)
target_include_directories(inn_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
if(INN_SANITIZE)
  # No vptr check: libtorch is built without the type information that it reads.
  target_compile_options(inn_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer>)
  target_link_options(inn_flags INTERFACE -fsanitize=address,undefined)
endif()

# ATen's headers cost 9 s a file; every file reuses this one compilation of them. Files that need torch::nn or the
# optimizers include those themselves: precompiling all of torch/torch.h makes every other file slower than that saves.
set(headers <ATen/ATen.h> <nlohmann/json.hpp> <fmt/format.h> <algorithm> <functional> <map> <optional> <span> <string>
            <unordered_map> <variant> <vector>)
add_library(inn_headers OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(inn_headers PUBLIC inn_flags)
target_precompile_headers(inn_headers PUBLIC ${headers})

# The same for tests, which are compiled without optimization: it takes longer than it saves them.
if(INN_BUILD_TESTS)
  add_library(inn_test_headers OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
  target_compile_options(inn_test_headers PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O0>)
  target_link_libraries(inn_test_headers PUBLIC inn_flags nlohmann_json::nlohmann_json GTest::gmock)
  target_precompile_headers(inn_test_headers PUBLIC ${headers} <gmock/gmock.h> <gtest/gtest.h>)
endif()

set(INN_FOLDERS "" CACHE INTERNAL "the folders of the library, in order")

function(inn_folder name)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(inn_${name} OBJECT ${sources})
  target_precompile_headers(inn_${name} REUSE_FROM inn_headers)
  # Its own private headers and nobody else's; of quoted includes only, since names like <memory.h> are the system's.
  target_compile_options(inn_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-iquote${PROJECT_SOURCE_DIR}/src/${name}>)
  target_link_libraries(inn_${name} PUBLIC inn_flags nlohmann_json::nlohmann_json ZLIB::ZLIB PNG::PNG
                        PkgConfig::TurboJPEG PkgConfig::utf8proc)
  set(INN_FOLDERS ${INN_FOLDERS} ${name} CACHE INTERNAL "")
  set(closure ${name})
  foreach(needed IN LISTS arg_DEPENDS)
    list(APPEND closure ${needed} ${INN_CLOSURE_${needed}})
  endforeach()
  list(REMOVE_DUPLICATES closure)
  set(INN_CLOSURE_${name} ${closure} CACHE INTERNAL "")
endfunction()

# The tests of a program as SHARDS processes, by CTest's names NAME.1, NAME.2, …; FILTER as --gtest_filter takes it.
#
# Not a process for each test: loading libtorch takes longer than most tests. One test alone: build/…/bin/PROGRAM
# --gtest_filter=Suite.Name.
function(inn_add_tests program)
  cmake_parse_arguments(arg "" "NAME;SHARDS;FILTER;FIXTURES" "LABELS;ENVIRONMENT" ${ARGN})
  if(NOT arg_FILTER)
    set(arg_FILTER "*")
  endif()
  foreach(shard RANGE 1 ${arg_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${arg_NAME}.${shard} COMMAND ${program} --gtest_brief=1 "--gtest_filter=${arg_FILTER}")
    set_tests_properties(${arg_NAME}.${shard} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 1500
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${index};${arg_ENVIRONMENT}")
    if(arg_FIXTURES)
      set_tests_properties(${arg_NAME}.${shard} PROPERTIES FIXTURES_REQUIRED ${arg_FIXTURES})
    endif()
  endforeach()
endfunction()

# Compiles a target's files as tests are.
function(inn_compile_as_test target)
  target_precompile_headers(${target} REUSE_FROM inn_test_headers)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O0>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE inn_flags nlohmann_json::nlohmann_json GTest::gmock)
endfunction()

function(inn_folder_test name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*.cpp)
  if(NOT sources OR NOT TARGET inn_${name})
    return()
  endif()
  add_executable(${name}_test ${sources})
  inn_compile_as_test(${name}_test)
  target_compile_options(${name}_test PRIVATE -iquote${PROJECT_SOURCE_DIR}/src/${name})
  foreach(needed IN LISTS INN_CLOSURE_${name})
    if(TARGET inn_${needed})
      target_link_libraries(${name}_test PRIVATE inn_${needed})
      target_sources(${name}_test PRIVATE $<TARGET_OBJECTS:inn_${needed}>)
    endif()
  endforeach()
  if(name IN_LIST INN_TESTS_ON_NETWORKS)
    target_sources(${name}_test PRIVATE $<TARGET_OBJECTS:inn_test_networks>)
  endif()
  target_compile_definitions(${name}_test PRIVATE ${ARGN})
  target_link_libraries(${name}_test PRIVATE GTest::gtest_main)
  # Tests of real networks need what Python exports for them, and are no unit tests.
  if(name STREQUAL network)
    inn_add_tests(${name}_test NAME ${name} SHARDS 2 LABELS ${name} FIXTURES network)
  elseif(name STREQUAL resampling)
    inn_add_tests(${name}_test NAME ${name} SHARDS 4 FILTER "-*Torchvision*:ExportedModules*" LABELS ${name})
    inn_add_tests(${name}_test NAME modules SHARDS 2 FILTER "ExportedModules*" LABELS ${name} FIXTURES modules)
    inn_add_tests(${name}_test NAME torchvision SHARDS 8 FILTER "*Torchvision*" LABELS torchvision FIXTURES torchvision)
  elseif(name STREQUAL pruning)
    inn_add_tests(${name}_test NAME ${name} SHARDS 2 FILTER "-Resnet20*" LABELS ${name})
    inn_add_tests(${name}_test NAME resnet20 SHARDS 1 FILTER "Resnet20*" LABELS ${name} FIXTURES network)
  elseif(name STREQUAL data)
    inn_add_tests(${name}_test NAME ${name} SHARDS 2 FILTER "-PillowImages*" LABELS ${name})
    inn_add_tests(${name}_test NAME pillow SHARDS 1 FILTER "PillowImages*" LABELS ${name} FIXTURES images)
  else()
    inn_add_tests(${name}_test NAME ${name} SHARDS 2 LABELS ${name})
  endif()
endfunction()

function(inn_library)
  foreach(name IN LISTS INN_FOLDERS)
    list(APPEND objects $<TARGET_OBJECTS:inn_${name}>)
  endforeach()
  add_library(inn ${objects})
  add_library(inn::inn ALIAS inn)
  target_compile_features(inn PUBLIC cxx_std_20)
  target_compile_definitions(inn PUBLIC FMT_HEADER_ONLY=1)
  target_include_directories(inn PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(inn PUBLIC $<BUILD_INTERFACE:inn_torch> $<INSTALL_INTERFACE:inn::libtorch>
                        PRIVATE ZLIB::ZLIB PNG::PNG PkgConfig::TurboJPEG PkgConfig::utf8proc)

  include(CMakePackageConfigHelpers)
  set(place ${CMAKE_INSTALL_LIBDIR}/cmake/inn)
  get_filename_component(INN_TORCH_PREFIX "${Torch_DIR}/.." ABSOLUTE)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/inn-config.cmake.in ${PROJECT_BINARY_DIR}/inn-config.cmake
                                INSTALL_DESTINATION ${place})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/inn-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(TARGETS inn EXPORT inn-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/inn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  # inn::libtorch is made where the package is found: libtorch may lie elsewhere there.
  install(EXPORT inn-targets NAMESPACE inn:: DESTINATION ${place})
  install(FILES ${PROJECT_BINARY_DIR}/inn-config.cmake ${PROJECT_BINARY_DIR}/inn-config-version.cmake DESTINATION ${place})
endfunction()
