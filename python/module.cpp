// The compiled part of torch_integral: `torch_integral._core`. Each folder of the library has its own bind_FOLDER.cpp.

#include <c10/util/Exception.h>
#include <torch/csrc/Exceptions.h>

#include "bind.h"

NB_MODULE(_core, m) {
  // torch's errors carry the C++ stack, which says nothing to who calls from Python.
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const c10::Error& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what_without_backtrace());
    } catch (python_error& error) {  // of Python code that torch called
      error.restore();
    }
  });
  nb::set_leak_warnings(false);  // of what modules of users hold when the interpreter ends
  inn::python::bind_network(m);
  inn::python::bind_rules(m);
  inn::python::bind_dimension(m);
  inn::python::bind_data(m);
  inn::python::bind_quadrature(m);
  inn::python::bind_ordering(m);
  inn::python::bind_methods(m);
  inn::python::bind_model(m);
  inn::python::bind_depth(m);
  inn::python::bind_report(m);
}
