# Finds libtorch and sets the target inn_torch.
#
# In order: Torch_DIR or CMAKE_PREFIX_PATH as given; INN_PYTHON; the repository's own .venv; the python3 on the path.
set(INN_PYTHON "" CACHE FILEPATH "A Python that has torch, asked for libtorch's place")

if(NOT Torch_DIR OR NOT INN_FOUND_PYTHON)
  foreach(python IN ITEMS "${INN_PYTHON}" "${PROJECT_SOURCE_DIR}/.venv/bin/python" python3)
    if(python STREQUAL "")
      continue()
    endif()
    execute_process(COMMAND ${python} -c "import torch.utils; print(torch.utils.cmake_prefix_path)"
                    OUTPUT_VARIABLE prefix RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT failed)
      list(APPEND CMAKE_PREFIX_PATH ${prefix})
      set(INN_FOUND_PYTHON ${python} CACHE INTERNAL "A Python that has torch: the tests hand archives to it")
      break()
    endif()
  endforeach()
endif()

# A torch with CUDA, as PyPI has it for Linux, is not found by CMake where there is no CUDA toolkit. Its libraries are all
# that is needed where no kernels of ours are compiled for CUDA.
get_filename_component(torch_root "${prefix}/../.." ABSOLUTE)
set(torch_lacks_cuda OFF)
if(prefix AND EXISTS "${torch_root}/lib/libtorch_cuda.so")
  list(APPEND CMAKE_MODULE_PATH "${prefix}/Caffe2/Modules_CUDA_fix")  # it asks for CUDA by a module of its own
  set(CUDA_USE_STATIC_CUDA_RUNTIME OFF CACHE INTERNAL "")
  find_package(CUDA QUIET)
  if(NOT CUDA_FOUND)
    set(torch_lacks_cuda ON)
  endif()
endif()
if(torch_lacks_cuda)
  message(STATUS "No CUDA toolkit: building against the libraries of ${torch_root}")
  file(STRINGS "${torch_root}/version.py" version REGEX "^__version__ =")
  string(REGEX MATCH "[0-9]+[.][0-9]+[.][0-9]+" Torch_VERSION "${version}")
  if(Torch_VERSION VERSION_LESS 2.11)
    message(FATAL_ERROR "torch 2.11 or later is required but ${torch_root} is ${Torch_VERSION}")
  endif()
  set(Torch_DIR "${prefix}/Torch")
  set(TORCH_INSTALL_PREFIX "${torch_root}")
  set(TORCH_INCLUDE_DIRS "${torch_root}/include" "${torch_root}/include/torch/csrc/api/include")
  # Libraries of CUDA that these need are found when they are loaded.
  set(TORCH_LIBRARIES -Wl,--allow-shlib-undefined "${torch_root}/lib/libtorch.so" "${torch_root}/lib/libtorch_cpu.so"
                      "${torch_root}/lib/libc10.so")
else()
  find_package(Torch 2.11 REQUIRED)
endif()

# Kernels of ours for CUDA: where torch has it and there is a compiler. Elsewhere torch's operators do their work.
set(INN_HAS_CUDA_KERNELS OFF)
if(TARGET torch_cuda)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 17)  # what CMake 3.25 knows of; the kernel needs no more
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(INN_HAS_CUDA_KERNELS ON)
  else()
    message(STATUS "No CUDA compiler: tensors on CUDA are sampled by torch's operators")
  endif()
endif()

# Torch's own target lists the whole of its link line; its headers are not ours to warn about.
add_library(inn_torch INTERFACE)
target_link_libraries(inn_torch INTERFACE ${TORCH_LIBRARIES})
target_include_directories(inn_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
