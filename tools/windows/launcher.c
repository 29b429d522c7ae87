/* A python.exe for python311.dll, which comes without one. */
#include <wchar.h>
__declspec(dllimport) int Py_Main(int count, wchar_t **arguments);
int wmain(int count, wchar_t **arguments)
{
	return Py_Main(count, arguments);
}
