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
find_package(Torch 2.11 REQUIRED)

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
