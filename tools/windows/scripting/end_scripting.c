/* A module for OBS that ends scripting where OBS's own frontend-tools does: while libobs unloads its modules.
 *
 * Only then have libobs's threads stopped; called earlier, obs_scripting_unload crashes in OBS itself.
 */
#include "libobs.h"

__declspec(dllexport) bool obs_module_load(void)
{
	return true;
}

__declspec(dllexport) void obs_module_unload(void)
{
	obs_scripting_unload();
}

__declspec(dllexport) void obs_module_set_pointer(obs_module_t *module)
{
	(void)module;
}

__declspec(dllexport) uint32_t obs_module_ver(void)
{
	return 31u << 24;
}
