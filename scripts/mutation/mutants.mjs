import ts from "typescript"

/** The comparison that differs at the boundary, or says the opposite. */
const COMPARISONS = new Map([
  ["<", "<="],
  ["<=", "<"],
  [">", ">="],
  [">=", ">"],
  ["===", "!=="],
  ["!==", "==="],
])
const ARITHMETIC = new Map([
  ["+", "-"],
  ["-", "+"],
  ["*", "/"],
  ["/", "*"],
])
/** Where only one side is left. */
const LOGIC = new Set(["&&", "||", "??"])
/** Array methods without which the whole list is taken. */
const SELECTING = new Set(["filter", "slice", "sort", "toSorted"])
/** Names of constants that bound a number, a size or an age. What only times our own steps is not among them. */
const BOUND =
  /^[A-Z_]*(?:(?:^|_)(?:MAX|MIN|LIMIT)(?:_[A-Z_]+)?|(?:^|_)PER_[A-Z]+|_DAYS|(?:KEPT|REMEMBERED|EXPIRY|LIFE|LIFETIME|UNFINISHED)_MS)$/

/**
 * The one-line mutants of a source text: `{ start, end, line, kind, with }`. A statement is removed (`with` is
 * undefined), or an expression is replaced by `with`.
 */
export function mutantsOf(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found = []
  const add = (node, kind, replacement) => {
    const start = node.getStart(source)
    if (replacement !== undefined && !isReplaceable(node, start, source)) return
    const line = source.getLineAndCharacterOfPosition(start).line + 1
    found.push({ path, line, start, end: node.getEnd(), kind, with: replacement })
  }
  const walk = (node) => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isImportDeclaration(node)) return
    if (isDebugLine(node)) return
    mutate(node, source, add)
    ts.forEachChild(node, walk)
  }
  walk(source)
  return found
}

/** What it says is for who mends the program; nothing that the program promises hangs on it. */
function isDebugLine(node) {
  if (!ts.isCallExpression(node) && !ts.isExpressionStatement(node)) return false
  const call = ts.isExpressionStatement(node) ? node.expression : node
  if (!ts.isCallExpression(call)) return false
  const called = ts.isPropertyAccessExpression(call.expression) ? call.expression.name : call.expression
  return ts.isIdentifier(called) && called.text === "debug"
}

/**
 * Not the rest of a chain that ends where `?.` finds nothing; and no expression that begins a statement, since a bracket
 * there would call what the line before ends with.
 */
function isReplaceable(node, start, source) {
  if ((node.flags & ts.NodeFlags.OptionalChain) !== 0) return false
  let outer = node.parent
  while (!ts.isStatement(outer) && !ts.isSourceFile(outer)) outer = outer.parent
  return !ts.isExpressionStatement(outer) || outer.getStart(source) !== start
}

function mutate(node, source, add) {
  const text = (part) => part.getText(source)
  if (ts.isExpressionStatement(node)) {
    if (isRemovable(node.expression)) add(node, "statement removed", undefined)
  } else if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) {
    const condition = ts.isIfStatement(node) ? node.expression : node.condition
    add(condition, "condition false", "false")
    add(condition, "condition true", "true")
  } else if (ts.isBinaryExpression(node)) {
    mutateBinary(node, text, add)
  } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    add(node, "negation removed", text(node.operand))
  } else if (isLiteral(node, ts.SyntaxKind.TrueKeyword)) {
    add(node, "false for true", "false")
  } else if (isLiteral(node, ts.SyntaxKind.FalseKeyword)) {
    add(node, "true for false", "true")
  } else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    mutateCall(node, text, add)
  } else if (ts.isIdentifier(node) && BOUND.test(node.text) && isUse(node)) {
    // At each use: every file that imports the module would reach its constants.
    add(node, "bound doubled", `2*${node.text}`)
  }
}

/** Where the value of a constant is taken. */
function isUse(node) {
  const { parent } = node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isBinaryExpression(parent) || ts.isCallExpression(parent) || ts.isPrefixUnaryExpression(parent))
    return true
  return ts.isConditionalExpression(parent) || ts.isReturnStatement(parent)
}

/** A literal type is no value. */
function isLiteral(node, kind) {
  return node.kind === kind && !ts.isLiteralTypeNode(node.parent)
}

/** Not `super()`, without which no object is made. */
function isRemovable(expression) {
  const called = ts.isAwaitExpression(expression) ? expression.expression : expression
  if (ts.isCallExpression(called)) return called.expression.kind !== ts.SyntaxKind.SuperKeyword
  if (ts.isBinaryExpression(called)) return ts.isAssignmentOperator(called.operatorToken.kind)
  return ts.isDeleteExpression(called) || ts.isPostfixUnaryExpression(called)
}

function mutateBinary(node, text, add) {
  const operator = text(node.operatorToken)
  const [left, right] = [text(node.left), text(node.right)]
  if (LOGIC.has(operator)) {
    add(node, `only the left of ${operator}`, left)
    add(node, `only the right of ${operator}`, right)
  }
  const compared = COMPARISONS.get(operator)
  if (compared) add(node, `${compared} for ${operator}`, `(${left})${compared}(${right})`)
  const counted = ARITHMETIC.get(operator)
  if (counted && !isText(node.left) && !isText(node.right))
    add(node, `${counted} for ${operator}`, `(${left})${counted}(${right})`)
}

function isText(node) {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)
}

function mutateCall(node, text, add) {
  const { expression: object, name } = node.expression
  const method = text(name)
  if (SELECTING.has(method)) add(node, `${method} removed`, text(object))
  if (text(object) !== "Math" || !["min", "max"].includes(method)) return
  const other = method === "min" ? "max" : "min"
  add(node, `${other} for ${method}`, `Math.${other}(${node.arguments.map(text).join(",")})`)
}
