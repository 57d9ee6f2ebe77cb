import java.io.File
import java.net.URLClassLoader
import kotlin.reflect.KCallable
import kotlin.reflect.KClass
import kotlin.reflect.KFunction
import kotlin.reflect.KParameter
import kotlin.reflect.KVisibility
import kotlin.reflect.full.declaredMembers

/**
 * For compare_stubs.py: what the public classes of a folder offer, one line each. A function's parameters stand
 * together; a constructor's one by one, as callers name them.
 */
fun main(arguments: Array<String>) {
    val folder = File(arguments.single())
    val loader = URLClassLoader(arrayOf(folder.toURI().toURL()))
    val files = folder.walk().filter { it.extension == "class" }
    val names =
        files.map {
            it
                .relativeTo(folder)
                .path
                .removeSuffix(".class")
                .replace('/', '.')
        }
    for (name in names.filterNot { it.endsWith("Kt") }.sorted()) {
        val type = Class.forName(name, false, loader)
        if (!type.isSynthetic && type.kotlin.visibility == KVisibility.PUBLIC) linesOf(type).forEach(::println)
    }
}

private fun linesOf(type: Class<*>): List<String> {
    val name = type.name.replace('$', '.')
    val constants = type.fields.filter { it.isEnumConstant }.map { "$name.${it.name}" }
    val members =
        type.kotlin.declaredMembers
            .filter { it.isOffered() }
            .map { "$name.${said(it)}" }
    return listOf(name) + constants + members + constructorsOf(type.kotlin).map { "$name($it)" }
}

/** What a data class adds to its properties is left out. */
private fun KCallable<*>.isOffered() =
    visibility == KVisibility.PUBLIC &&
        !Regex("component\\d+|copy|equals|hashCode|toString|values|valueOf|entries").matches(name)

private fun constructorsOf(type: KClass<*>) =
    type.constructors
        .filter { it.visibility == KVisibility.PUBLIC }
        .flatMap { it.parameters }
        .map(::said)

private fun said(member: KCallable<*>): String {
    val given = member.parameters.filter { it.kind == KParameter.Kind.VALUE }.joinToString(transform = ::said)
    return member.name + (if (member is KFunction) "($given)" else "") + ": ${member.returnType}"
}

private fun said(parameter: KParameter): String {
    val before = if (parameter.isVararg) "vararg " else ""
    return "$before${parameter.name}: ${parameter.type}${if (parameter.isOptional) " = ..." else ""}"
}
